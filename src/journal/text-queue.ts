// Texts, first in, first out, as bytes outside the heap. The garbage collector does not walk them, however many there are: the
// recent log as objects was what stopped the event loop under load (docs/adr/0021-what-a-delivery-costs.md).

const chunkBytes = 262_144

/** A queue of texts. Each begins at an offset; offsets only grow. */
export class TextQueue {
  /** The bytes from chunk number `#firstChunk` on. */
  readonly #chunks: Buffer[] = []
  #firstChunk = 0
  #end = 0

  /**
   * Adds a text.
   * @returns how many bytes it takes; they begin where `end` was
   */
  push(text: string): number {
    const bytes = Buffer.from(text)
    for (let taken = 0; taken < bytes.length; ) {
      if (this.#end === (this.#firstChunk + this.#chunks.length) * chunkBytes)
        this.#chunks.push(Buffer.allocUnsafeSlow(chunkBytes))
      const copied = bytes.copy(this.#chunks.at(-1) as Buffer, this.#end % chunkBytes, taken)
      taken += copied
      this.#end += copied
    }
    return bytes.length
  }

  /** The offset at which the next text begins. */
  get end(): number {
    return this.#end
  }

  /** The text of so many bytes from an offset. It must not be dropped yet. */
  read(offset: number, bytes: number): string {
    const from = offset % chunkBytes
    if (from + bytes <= chunkBytes) return this.#chunkOf(offset).toString('utf8', from, from + bytes)
    const parts: Buffer[] = []
    for (let at = offset; at < offset + bytes; at += parts.at(-1)?.length ?? 0) {
      parts.push(this.#chunkOf(at).subarray(at % chunkBytes, (at % chunkBytes) + offset + bytes - at))
    }
    return Buffer.concat(parts).toString('utf8')
  }

  /** Drops what lies before an offset. The chunk in which it lies stays. */
  dropBefore(offset: number): void {
    while ((this.#firstChunk + 1) * chunkBytes <= offset && this.#chunks.length > 1) {
      this.#chunks.shift()
      this.#firstChunk += 1
    }
  }

  #chunkOf(offset: number): Buffer {
    const chunk = this.#chunks[Math.floor(offset / chunkBytes) - this.#firstChunk]
    if (!chunk) throw new Error(`the text at ${offset} was dropped`)
    return chunk
  }
}
