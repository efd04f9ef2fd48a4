import { FormatError } from "../core/errors.ts";
import { needModule } from "../core/host.ts";

/** Most bytes that are unpacked. MNIST's largest file has 47 MB; a bomb stops here. */
export const MAX_UNPACKED = 2 ** 28;

/** How much is unpacked. */
export interface Unpacking {
  readonly limit?: number;
  /** How many bytes there should be, told by the first ones: so nothing else is unpacked. Throws for a beginning that is not as it should be. */
  readonly size?: (first: Uint8Array) => number;
}

/** So many bytes tell what a file is and how large it should be. */
const HEAD = 1024;

/**
 * Unpacks gzip, told by its first two bytes; other bytes come back as they are. The content is held once, and never more of it than was asked for.
 *
 * @throws FormatError for damaged data, and for more bytes than `size` says or `limit` allows
 */
export async function gunzip(bytes: Uint8Array, who: string, { limit = MAX_UNPACKED, size }: Unpacking = {}): Promise<Uint8Array> {
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes;
  const stream = needModule("node:zlib").createGunzip({ chunkSize: 2 ** 18 });
  stream.end(bytes);
  const content = new Content(who, limit, size, sizeSaid(bytes));
  try {
    for await (const chunk of stream as AsyncIterable<Uint8Array>) content.add(chunk);
  } catch (cause) {
    if (cause instanceof FormatError) throw cause;
    throw new FormatError(`${who}: damaged gzip data`, {
      why: cause instanceof Error ? cause.message : String(cause),
      help: "copy or download the file again",
      cause,
    });
  }
  return content.end();
}

/** The last four bytes of a gzip file: its content's length, unless somebody lies. */
const sizeSaid = (bytes: Uint8Array): number =>
  bytes.length < 8 ? 0 : new DataView(bytes.buffer, bytes.byteOffset + bytes.length - 4, 4).getUint32(0, true);

/** Bytes as they are unpacked, in one array. */
class Content {
  private readonly who: string;
  private readonly limit: number;
  private size: Unpacking["size"];
  private bytes: Uint8Array;
  private length = 0;
  private wanted = Number.POSITIVE_INFINITY;

  constructor(who: string, limit: number, size: Unpacking["size"], said: number) {
    this.who = who;
    this.limit = limit;
    this.size = size;
    // An array of the size that the beginning tells is made when it is known.
    this.bytes = new Uint8Array(size ? HEAD : Math.min(said, limit));
  }

  add(chunk: Uint8Array): void {
    const length = this.length + chunk.length;
    if (length > this.wanted) throw new FormatError(`${this.who}: unpacks to more than the ${this.wanted} bytes that its beginning tells`);
    if (length > this.limit) throw tooMuch(this.who, this.limit);
    this.reserve(length);
    this.bytes.set(chunk, this.length);
    this.length = length;
    if (this.size && length >= HEAD) this.look();
  }

  /** Looks at the first bytes, once. */
  private look(): void {
    this.wanted = this.size!(this.bytes.subarray(0, this.length));
    this.size = undefined;
    if (this.wanted > this.limit) throw tooMuch(this.who, this.limit);
    this.reserve(this.wanted);
    if (this.length > this.wanted)
      throw new FormatError(`${this.who}: unpacks to more than the ${this.wanted} bytes that its beginning tells`);
  }

  private reserve(length: number): void {
    if (length <= this.bytes.length) return;
    const most = Math.min(this.wanted, this.limit);
    const larger = new Uint8Array(Number.isFinite(this.wanted) ? most : Math.min(Math.max(length, 2 * this.bytes.length), most));
    larger.set(this.bytes.subarray(0, this.length));
    this.bytes = larger;
  }

  end(): Uint8Array {
    if (this.size) this.look();
    return this.bytes.subarray(0, this.length);
  }
}

const tooMuch = (who: string, limit: number): FormatError =>
  new FormatError(`${who}: unpacks to more than ${limit} bytes`, { why: "such a file would fill the memory" });
