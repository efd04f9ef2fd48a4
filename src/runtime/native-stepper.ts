/**
 * The C stepper: it walks the step table of `link.ts` on a pool of threads.
 *
 * Blocks of a call are taken from one contiguous range per thread, then from the other threads' ranges. A range's counter holds the number of the
 * call it belongs to, so nothing is ever cleared between calls: whoever meets a counter of a later call knows that all blocks of his are taken.
 * Waiting is a bounded spin, then a condition variable with a timeout.
 */
import { HEADER_WORDS, MAXIMUM_DEPTH, RECORD, RECORD_WORDS } from "./link.ts";

/** Rounds of a spin before a thread sleeps: about 50 µs, more than lies between two steps of a training loop, less than waking costs twice. */
const SPINS = 2_000;
/** Every so often it lets other threads run: where there are more of them than free cores, the one it waits for may be among them. */
const YIELD_EVERY = 30;

export const STEPPER_SOURCE = `
typedef unsigned long size;
typedef unsigned long long word64;
typedef void (*Kernel)(char *heap, const int *arguments, long begin, long end, int thread);

enum { END = ${RECORD.end}, CALL = ${RECORD.call}, SECTION = ${RECORD.section}, SECTION_END = ${RECORD.sectionEnd},
       LOOP = ${RECORD.loop}, LOOP_END = ${RECORD.loopEnd}, BARRIER = ${RECORD.barrier}, COMMIT = ${RECORD.commit} };
enum { HEADER_WORDS = ${HEADER_WORDS}, RECORD_WORDS = ${RECORD_WORDS}, MAXIMUM_DEPTH = ${MAXIMUM_DEPTH}, SPINS = ${SPINS}, YIELD_EVERY = ${YIELD_EVERY}, MAXIMUM_THREADS = 256 };
enum { FINISHED = 0, STOPPED = 1 };

/* The C library, declared by hand: its headers cost more time than this file. Opaque objects get more room than any system needs. */
typedef struct { _Alignas(16) char bytes[128]; } Opaque;
struct timespec { long seconds, nanoseconds; };
extern int pthread_create(size *thread, const void *attributes, void *(*start)(void *), void *argument);
extern int pthread_join(size thread, void **result);
extern int pthread_mutex_init(Opaque *mutex, const void *attributes), pthread_mutex_lock(Opaque *mutex), pthread_mutex_unlock(Opaque *mutex);
extern int pthread_cond_init(Opaque *condition, const void *attributes), pthread_cond_broadcast(Opaque *condition);
extern int pthread_cond_timedwait(Opaque *condition, Opaque *mutex, const struct timespec *until);
extern int sched_yield(void);
extern int clock_gettime(int clock, struct timespec *now);
extern void *calloc(size count, size bytes), *realloc(void *old, size bytes);
extern int posix_memalign(void **memory, size alignment, size bytes);
extern void free(void *memory);

/* A cell of its own cache line, so that threads do not share one by accident. */
typedef struct { _Alignas(64) word64 value; } Line;

/* A number that threads wait on to change, each with its own sleepers: a change wakes nobody else. */
typedef struct {
  _Alignas(64) int value;
  int sleepers;
  Opaque mutex, condition;
} Cell;

typedef struct Pool {
  /* The next pool of the same environment. */
  struct Pool *next;
  /* What is run: set by thread 0 before the run's number changes. */
  char *heap;
  long table;
  int threads;
  Kernel *kernels;
  int kernel_count;
  Cell run, generation, finished;
  _Alignas(64) int arrived;
  _Alignas(64) int unfinished;
  int stop, closing;
  Line ranges[MAXIMUM_THREADS];
  int workers;
  size ids[MAXIMUM_THREADS];
} Pool;

typedef struct { Pool *pool; int thread; } Worker;

static inline void relax(void) {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

static inline int now(const Cell *cell) {
  return __atomic_load_n(&cell->value, __ATOMIC_SEQ_CST);
}

/* Returns when the cell is no longer "old". */
static void wait_while(Cell *cell, int old) {
  for (int i = 0; i < SPINS; i++) {
    if (now(cell) != old) return;
    if (i % YIELD_EVERY == YIELD_EVERY - 1) sched_yield();
    else relax();
  }
  pthread_mutex_lock(&cell->mutex);
  __atomic_fetch_add(&cell->sleepers, 1, __ATOMIC_SEQ_CST);
  while (now(cell) == old) {
    struct timespec until;
    clock_gettime(0, &until);
    until.seconds += 1;
    pthread_cond_timedwait(&cell->condition, &cell->mutex, &until);
  }
  __atomic_fetch_sub(&cell->sleepers, 1, __ATOMIC_SEQ_CST);
  pthread_mutex_unlock(&cell->mutex);
}

/* Whoever has looked at the old value under the lock is asleep once we have had it; woken without it, they need not queue for it again. */
static void change(Cell *cell) {
  __atomic_fetch_add(&cell->value, 1, __ATOMIC_SEQ_CST);
  if (__atomic_load_n(&cell->sleepers, __ATOMIC_SEQ_CST) == 0) return;
  pthread_mutex_lock(&cell->mutex);
  pthread_mutex_unlock(&cell->mutex);
  pthread_cond_broadcast(&cell->condition);
}

static void open_cell(Cell *cell) {
  pthread_mutex_init(&cell->mutex, 0);
  pthread_cond_init(&cell->condition, 0);
}

static int checks_failed(const int *header, char *heap) {
  const word64 *cell = (const word64 *)(heap + (unsigned)header[1]);
  for (int i = 0; i < header[2]; i++) if (cell[i] != ~0ULL) return 1;
  return 0;
}

/* All threads meet; for a commit the last one decides for all of them whether to stop. */
static void barrier(Pool *pool, const int *header, int commit) {
  if (pool->threads == 1) {
    if (commit && checks_failed(header, pool->heap)) pool->stop = 1;
    return;
  }
  int generation = now(&pool->generation);
  if (__atomic_add_fetch(&pool->arrived, 1, __ATOMIC_ACQ_REL) < pool->threads) {
    wait_while(&pool->generation, generation);
    return;
  }
  if (commit && checks_failed(header, pool->heap)) pool->stop = 1;
  __atomic_store_n(&pool->arrived, 0, __ATOMIC_RELAXED);
  change(&pool->generation);
}

/* The next block of one range of call number "sequence", or -1 if all its blocks are taken. */
static long take(Line *range, word64 sequence, long first, long last) {
  word64 known = __atomic_load_n(&range->value, __ATOMIC_RELAXED);
  for (;;) {
    word64 owner = known >> 32;
    if (owner > sequence) return -1;
    long block = owner == sequence ? (long)(known & 0xffffffff) : first;
    if (block >= last) return -1;
    word64 next = sequence << 32 | (word64)(block + 1);
    if (__atomic_compare_exchange_n(&range->value, &known, next, 0, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) return block;
  }
}

static void share(Pool *pool, Kernel kernel, const int *arguments, long blocks, int thread, word64 sequence) {
  long threads = pool->threads;
  for (long i = 0; i < threads; i++) {
    long from = (thread + i) % threads, first = from * blocks / threads, last = (from + 1) * blocks / threads, block;
    while ((block = take(&pool->ranges[from], sequence, first, last)) >= 0) kernel(pool->heap, arguments, block, block + 1, thread);
  }
}

/* The argument block, moved on by the turns of the loops it stands in. */
static const int *moved(char *heap, const int *record, const int *turns, int *room) {
  const int *block = (const int *)(heap + (unsigned)record[2]);
  if (!record[5]) return block;
  const int *row = (const int *)(heap + (unsigned)record[5]);
  int words = record[3];
  for (int i = 0; i < words; i++) room[i] = block[i];
  for (int r = 0; r < record[6]; r++, row += words) {
    unsigned turn = (unsigned)turns[record[7] - r];
    for (int i = 0; i < words; i++) room[i] = (int)((unsigned)room[i] + turn * (unsigned)row[i]);
  }
  return room;
}

static void follow(Pool *pool, int thread) {
  char *heap = pool->heap;
  const int *header = (const int *)(heap + pool->table), *records = (const int *)(heap + (unsigned)header[0]);
  int *turns = (int *)(heap + (unsigned)header[3] + (long)thread * header[4]), *room = turns + MAXIMUM_DEPTH;
  int alone = pool->threads == 1, in_section = 0;
  word64 sequence = 0;
  for (long at = 0;;) {
    const int *record = records + RECORD_WORDS * at++;
    switch (record[0]) {
      case CALL: {
        Kernel kernel = pool->kernels[record[1]];
        const int *arguments = moved(heap, record, turns, room);
        long blocks = record[4];
        if (alone || in_section) for (long block = 0; block < blocks; block++) kernel(heap, arguments, block, block + 1, thread);
        else share(pool, kernel, arguments, blocks, thread, ++sequence);
        break;
      }
      case SECTION:
        if (thread == 0) in_section = 1;
        else at = record[1];
        break;
      case SECTION_END:
        in_section = 0;
        break;
      case LOOP:
        if (record[1] <= 0) at = record[3];
        else turns[record[4]] = record[2] ? record[1] - 1 : 0;
        break;
      case LOOP_END: {
        int *turn = &turns[record[4]];
        *turn += record[2] ? -1 : 1;
        if (*turn >= 0 && *turn < record[1]) at = record[3];
        break;
      }
      case BARRIER:
        if (!in_section) barrier(pool, header, 0);
        break;
      case COMMIT:
        barrier(pool, header, 1);
        if (pool->stop) return;
        break;
      default: /* END: thread 0 waits for the others in run_pool. */
        return;
    }
  }
}

/* Whoever computes with short vectors afterwards waits for upper halves that nobody has cleared. */
static void clear_vectors(void) {
#if defined(__AVX__)
  __builtin_ia32_vzeroupper();
#endif
}

static void walk(Pool *pool, int thread) {
  follow(pool, thread);
  clear_vectors();
}

static void *work(void *argument) {
  Worker worker = *(Worker *)argument;
  free(argument);
  Pool *pool = worker.pool;
  for (int seen = 0;;) {
    wait_while(&pool->run, seen);
    int run = now(&pool->run);
    if (__atomic_load_n(&pool->closing, __ATOMIC_ACQUIRE)) return 0;
    if (run == seen) continue;
    seen = run;
    walk(pool, worker.thread);
    if (__atomic_sub_fetch(&pool->unfinished, 1, __ATOMIC_ACQ_REL) == 0) change(&pool->finished);
  }
}

/* Runs a table and returns when every thread has left it. */
static int run_pool(Pool *pool, long table, int threads) {
  pool->table = table;
  pool->threads = threads > pool->workers + 1 ? pool->workers + 1 : threads;
  pool->stop = 0;
  pool->arrived = 0;
  if (pool->threads > 1) {
    pool->threads = pool->workers + 1;
    for (int i = 0; i < pool->threads; i++) pool->ranges[i].value = 0;
    pool->unfinished = pool->workers;
    change(&pool->run);
    walk(pool, 0);
    for (int finished; finished = now(&pool->finished), __atomic_load_n(&pool->unfinished, __ATOMIC_ACQUIRE);) wait_while(&pool->finished, finished);
  } else walk(pool, 0);
  return pool->stop ? STOPPED : FINISHED;
}

/* A pool with as many threads as asked for, or as the system gives; the caller is thread 0. */
static Pool *open_pool(int threads) {
  Pool *pool = 0;
  if (posix_memalign((void **)&pool, 64, sizeof *pool)) return 0;
  for (size i = 0; i < sizeof *pool; i++) ((char *)pool)[i] = 0;
  open_cell(&pool->run);
  open_cell(&pool->generation);
  open_cell(&pool->finished);
  if (threads > MAXIMUM_THREADS) threads = MAXIMUM_THREADS;
  for (int thread = 1; thread < threads; thread++) {
    Worker *worker = calloc(1, sizeof *worker);
    if (!worker) break;
    worker->pool = pool;
    worker->thread = thread;
    if (pthread_create(&pool->ids[pool->workers], 0, work, worker)) {
      free(worker);
      break;
    }
    pool->workers++;
  }
  return pool;
}

static void close_pool(Pool *pool) {
  __atomic_store_n(&pool->closing, 1, __ATOMIC_SEQ_CST);
  change(&pool->run);
  for (int i = 0; i < pool->workers; i++) pthread_join(pool->ids[i], 0);
  free(pool->kernels);
  free(pool);
}

/* The kernel's number in the pool's table; -1 without memory. */
static int add_kernel(Pool *pool, Kernel kernel) {
  int count = pool->kernel_count;
  if ((count & (count - 1)) == 0) {
    Kernel *grown = realloc(pool->kernels, sizeof(Kernel) * (count ? 2 * count : 1));
    if (!grown) return -1;
    pool->kernels = grown;
  }
  pool->kernels[count] = kernel;
  return pool->kernel_count++;
}
`;
