import type { Rejection } from '../../../protocol/index.ts'

/** Tells whether a mutation was refused for the keys of its new rows alone: it is made anew under others. */
export const isOfKeys = ({ kind }: Rejection): boolean => kind === 'key-taken' || kind === 'key-unleased'

/**
 * Tells whether the answer to a push decides what becomes of a rejected mutation, wherever else the rejection was told:
 * its keys were refused, or it builds on one of which that holds.
 */
export const isLeftToPush = (rejection: Rejection, isLeft: (on: number) => boolean): boolean =>
  isOfKeys(rejection) || (rejection.kind === 'dependency' && rejection.on !== undefined && isLeft(rejection.on))
