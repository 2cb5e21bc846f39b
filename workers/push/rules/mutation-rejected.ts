import type { Rejection } from '../../../protocol/index.ts'

/** Thrown where a mutation is refused for good; its message is the rejection's. */
export class MutationRejected extends Error {
  override readonly name = 'MutationRejected'
  readonly rejection: Rejection

  constructor(rejection: Rejection) {
    super(rejection.message)
    this.rejection = rejection
  }
}
