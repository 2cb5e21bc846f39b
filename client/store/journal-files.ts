/** One of a journal's two files: while one is in force the next is begun in the other. */
export type Slot = 0 | 1

/** The files of a journal. Each call rejects with the device's error; what was there before stays readable. */
export interface JournalFiles {
  /** Reads a file; empty where it is not there. */
  read(slot: Slot): Promise<Uint8Array>
  append(slot: Slot, bytes: Uint8Array<ArrayBuffer>): Promise<void>
  /** Puts these bytes in the place of all that is there. */
  replace(slot: Slot, bytes: Uint8Array<ArrayBuffer>): Promise<void>
  /** Removes both files. */
  remove(): Promise<void>
  close(): Promise<void>
}
