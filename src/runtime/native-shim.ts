/** The N-API addon through which JavaScript reaches kernels: C without headers, compiled once by the system's compiler. */
import { STEPPER_SOURCE } from "./native-stepper.ts";

/** What the addon exports. Addresses are numbers: user space has 47 bits of them. */
export interface Shim {
  /** The handle of a library, or why it cannot be loaded. */
  open(path: string): number | string;
  /** Gives a library up that is of no use. */
  close(library: number): void;
  /** The address of a symbol, 0 where there is none. */
  symbol(library: number, name: string): number;
  openPool(threads: number): number;
  /** Threads the pool really has, the caller's included. */
  poolThreads(pool: number): number;
  closePool(pool: number): void;
  addKernel(pool: number, address: number): number;
  /** Where the heap is: a view of its first byte. */
  setHeap(pool: number, heap: Uint8Array): void;
  /** Asks for large pages: a view of all the bytes the heap has now, and how many it may grow to in place. */
  useLargePages(heap: Uint8Array, most: number): void;
  /** One call of a kernel: the address of its argument block in the heap, its blocks, its thread's number. */
  callOnce(pool: number, kernel: number, block: number, begin: number, end: number, thread: number): void;
  /** Walks the step table at a heap address: FINISHED or STOPPED. */
  run(pool: number, table: number, threads: number): number;
}

/** What `run` answers unless a check stopped it. */
export const FINISHED = 0;

const NODE_API = `
typedef void *Env;
typedef void *Value;
typedef void *Info;
typedef Value (*Callback)(Env env, Info info);
extern int napi_get_cb_info(Env env, Info info, size *count, Value *arguments, Value *receiver, void **data);
extern int napi_create_function(Env env, const char *name, size length, Callback callback, void *data, Value *result);
extern int napi_set_named_property(Env env, Value object, const char *name, Value value);
extern int napi_get_value_double(Env env, Value value, double *result), napi_create_double(Env env, double value, Value *result);
extern int napi_get_value_string_utf8(Env env, Value value, char *text, size room, size *length);
extern int napi_create_string_utf8(Env env, const char *text, size length, Value *result);
extern int napi_get_typedarray_info(Env env, Value array, int *type, size *length, void **data, Value *buffer, size *offset);
extern int napi_set_instance_data(Env env, void *data, void (*finalize)(Env, void *, void *), void *hint), napi_get_instance_data(Env env, void **data);
extern int napi_add_env_cleanup_hook(Env env, void (*hook)(void *), void *data);
typedef struct { const char *file; void *base; const char *symbol; void *address; } Place;
extern void *dlopen(const char *path, int flags), *dlsym(void *library, const char *name);
extern int dlclose(void *library);
extern char *dlerror(void);
extern int dladdr(const void *address, Place *place);
extern int madvise(void *address, size length, int advice);

enum { RTLD_NOW = 2, WHOLE = -1, HUGE_PAGES = 14, COLLAPSE = 25 };
`;

const ADDON = `
#define ARGUMENTS(n) Value given[n]; size count = n; napi_get_cb_info(env, info, &count, given, 0, 0)

static double number(Env env, Value value) {
  double result = 0;
  napi_get_value_double(env, value, &result);
  return result;
}
static void *pointer(Env env, Value value) {
  return (void *)(size)number(env, value);
}
static Value to_number(Env env, double value) {
  Value result = 0;
  napi_create_double(env, value, &result);
  return result;
}
static Value to_address(Env env, const void *address) {
  return to_number(env, (double)(size)address);
}

static Value open_library(Env env, Info info) {
  ARGUMENTS(1);
  char path[4096];
  size length = 0;
  napi_get_value_string_utf8(env, given[0], path, sizeof path, &length);
  void *library = dlopen(path, RTLD_NOW);
  if (library) return to_address(env, library);
  const char *why = dlerror();
  Value text = 0;
  napi_create_string_utf8(env, why ? why : "dlopen failed", (size)WHOLE, &text);
  return text;
}
static Value close_library(Env env, Info info) {
  ARGUMENTS(1);
  dlclose(pointer(env, given[0]));
  return 0;
}
static Value find_symbol(Env env, Info info) {
  ARGUMENTS(2);
  char name[256];
  size length = 0;
  napi_get_value_string_utf8(env, given[1], name, sizeof name, &length);
  return to_address(env, dlsym(pointer(env, given[0]), name));
}
/* What one environment (the main thread, or a worker) has opened. Only its own thread touches it. */
typedef struct { Pool *pools; } Instance;

static Instance *instance_of(Env env) {
  void *instance = 0;
  napi_get_instance_data(env, &instance);
  return instance;
}
/* The environment ends: so do its threads. No run is going on: each returns before its caller does. */
static void end_instance(void *data) {
  Instance *instance = data;
  for (Pool *pool = instance->pools, *next; pool; pool = next) {
    next = pool->next;
    close_pool(pool);
  }
  free(instance);
}

static Value open_pool_(Env env, Info info) {
  ARGUMENTS(1);
  Pool *pool = open_pool((int)number(env, given[0]));
  if (pool) {
    Instance *instance = instance_of(env);
    pool->next = instance->pools;
    instance->pools = pool;
  }
  return to_address(env, pool);
}
static Value pool_threads(Env env, Info info) {
  ARGUMENTS(1);
  return to_number(env, ((Pool *)pointer(env, given[0]))->workers + 1);
}
static Value close_pool_(Env env, Info info) {
  ARGUMENTS(1);
  Pool *pool = pointer(env, given[0]), **link = &instance_of(env)->pools;
  while (*link && *link != pool) link = &(*link)->next;
  if (!*link) return 0;
  *link = pool->next;
  close_pool(pool);
  return 0;
}
static Value add_kernel_(Env env, Info info) {
  ARGUMENTS(2);
  return to_number(env, add_kernel(pointer(env, given[0]), (Kernel)pointer(env, given[1])));
}
static Value set_heap(Env env, Info info) {
  ARGUMENTS(2);
  Pool *pool = pointer(env, given[0]);
  int type;
  size length, offset;
  void *data = 0;
  Value buffer;
  napi_get_typedarray_info(env, given[1], &type, &length, &data, &buffer, &offset);
  pool->heap = data;
  return 0;
}
// Large pages save most of the address translations of strided reads. They are asked for all memory the heap may ever grow to, and what has been
// touched already is moved into them; a system without them says no, and nothing is lost.
static Value use_large_pages(Env env, Info info) {
  ARGUMENTS(2);
  int type;
  size length, offset;
  void *data = 0;
  Value buffer;
  napi_get_typedarray_info(env, given[0], &type, &length, &data, &buffer, &offset);
  size page = 2u << 20, from = ((size)data + page - 1) & ~(page - 1);
  size now = ((size)data + length) & ~(page - 1), most = ((size)data + (size)number(env, given[1])) & ~(page - 1);
  if (most > from) madvise((void *)from, most - from, HUGE_PAGES);
  if (now > from) madvise((void *)from, now - from, COLLAPSE);
  return 0;
}
static Value call_once(Env env, Info info) {
  ARGUMENTS(6);
  char *heap = ((Pool *)pointer(env, given[0]))->heap;
  const int *arguments = (const int *)(heap + (long)number(env, given[2]));
  ((Kernel)pointer(env, given[1]))(heap, arguments, (long)number(env, given[3]), (long)number(env, given[4]), (int)number(env, given[5]));
  clear_vectors();
  return 0;
}
static Value run(Env env, Info info) {
  ARGUMENTS(3);
  return to_number(env, run_pool(pointer(env, given[0]), (long)number(env, given[1]), (int)number(env, given[2])));
}

static void export(Env env, Value exports, const char *name, Callback callback) {
  Value function = 0;
  napi_create_function(env, name, (size)WHOLE, callback, 0, &function);
  napi_set_named_property(env, exports, name, function);
}
Value napi_register_module_v1(Env env, Value exports);

/* Node unloads an addon with the worker that loaded it, whoever else still runs its code: one handle is kept for ever. */
static void stay_loaded(void) {
  Place place;
  if (dladdr((const void *)(size)napi_register_module_v1, &place)) dlopen(place.file, RTLD_NOW);
}
Value napi_register_module_v1(Env env, Value exports) {
  Instance *instance = calloc(1, sizeof *instance);
  if (!instance || napi_set_instance_data(env, instance, 0, 0) || napi_add_env_cleanup_hook(env, end_instance, instance)) {
    free(instance);
    return 0;
  }
  stay_loaded();
  export(env, exports, "open", open_library);
  export(env, exports, "close", close_library);
  export(env, exports, "symbol", find_symbol);
  export(env, exports, "openPool", open_pool_);
  export(env, exports, "poolThreads", pool_threads);
  export(env, exports, "closePool", close_pool_);
  export(env, exports, "addKernel", add_kernel_);
  export(env, exports, "setHeap", set_heap);
  export(env, exports, "useLargePages", use_large_pages);
  export(env, exports, "callOnce", call_once);
  export(env, exports, "run", run);
  return exports;
}
int node_api_module_get_api_version_v1(void) { return 8; }
`;

export const SHIM_SOURCE = `${STEPPER_SOURCE}${NODE_API}${ADDON}`;
