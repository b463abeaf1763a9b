/** A file's content as chunks of bytes: plain, gzip or zip (its one member), known by the first bytes. */
import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { createGunzip, createInflateRaw } from 'node:zlib';
import { TapewatchError } from '../market/error.ts';

const CHUNK_BYTES = 1 << 20;

/** `onBytes` counts the file's own bytes, packed as they lie, so that their sum comes to its size. */
export async function readBytes(
  path: string,
  onBytes: (count: number) => void = () => undefined,
): Promise<AsyncIterable<Uint8Array>> {
  const file = await open(path).catch((cause: unknown) => {
    throw new TapewatchError('tape_unreadable', `Can't open the tape ${path}: ${(cause as Error).message}.`, { cause });
  });
  try {
    const head = Buffer.alloc(4);
    await file.read(head, 0, 4, 0);
    if (head[0] === 0x1f && head[1] === 0x8b) {
      return unpacked(
        path,
        createReadStream(path, { highWaterMark: CHUNK_BYTES }),
        createGunzip({ chunkSize: CHUNK_BYTES }),
        onBytes,
      );
    }
    if (head.readUInt32LE(0) === 0x04034b50) {
      const { size } = await file.stat();
      const member = await findMember(path, size, async (at, length) => {
        const bytes = Buffer.alloc(length);
        await file.read(bytes, 0, length, at);
        return bytes;
      });
      const raw = createReadStream(path, { start: member.start, end: member.end - 1, highWaterMark: CHUNK_BYTES });
      return member.deflated
        ? unpacked(path, raw, createInflateRaw({ chunkSize: CHUNK_BYTES }), onBytes)
        : counted(raw, onBytes);
    }
    return counted(createReadStream(path, { highWaterMark: CHUNK_BYTES }), onBytes);
  } finally {
    await file.close();
  }
}

async function* counted(source: Readable, onBytes: (count: number) => void): AsyncIterable<Uint8Array> {
  for await (const chunk of source as AsyncIterable<Uint8Array>) {
    onBytes(chunk.length);
    yield chunk;
  }
}

async function* unpacked(
  path: string,
  source: Readable,
  inflate: NodeJS.ReadWriteStream,
  onBytes: (count: number) => void,
): AsyncIterable<Uint8Array> {
  source.on('data', (chunk: Uint8Array) => onBytes(chunk.length));
  source.on('error', (cause) => (inflate as unknown as Readable).destroy(cause));
  try {
    for await (const chunk of source.pipe(inflate) as unknown as AsyncIterable<Uint8Array>) yield chunk;
  } catch (cause) {
    throw new TapewatchError('tape_unreadable', `The tape ${path} is damaged: ${(cause as Error).message}.`, { cause });
  } finally {
    source.destroy();
  }
}

interface Member {
  readonly start: number;
  readonly end: number;
  readonly deflated: boolean;
}

/** The one file of a zip, by its central directory (APPNOTE 4.3). */
async function findMember(
  path: string,
  size: number,
  read: (at: number, length: number) => Promise<Buffer>,
): Promise<Member> {
  const bad = (what: string): TapewatchError => new TapewatchError('tape_unreadable', `The zip ${path} ${what}.`);
  const tailLength = Math.min(size, 65_557);
  const tail = await read(size - tailLength, tailLength);
  const end = tail.lastIndexOf(Buffer.from([0x50, 0x4b, 5, 6]));
  if (end < 0) throw bad('has no central directory; download it again');
  const entries = tail.readUInt16LE(end + 10);
  if (entries !== 1) throw bad(`holds ${entries} files; unpack it and name the tapes one by one`);
  const at = tail.readUInt32LE(end + 16);
  if (at === 0xffffffff) throw bad('is a zip64; unpack it first');
  const entry = await read(at, 46);
  const method = entry.readUInt16LE(10);
  if (method !== 0 && method !== 8) throw bad(`is packed by method ${method}; unpack it first`);
  const length = entry.readUInt32LE(20);
  const local = entry.readUInt32LE(42);
  const header = await read(local, 30);
  const start = local + 30 + header.readUInt16LE(26) + header.readUInt16LE(28);
  return { start, end: start + length, deflated: method === 8 };
}
