/** Values that lie deeper are serialized where they are. */
const DEEPEST = 50

/**
 * Answers whether PGlite makes the same text of a parameter and of its structured clone, which has no prototype of the
 * app's, no methods and no functions.
 */
export function isSerializedAlike(value: unknown, depth = 0): boolean {
  if (value === null || typeof value !== 'object') return typeof value !== 'function' && typeof value !== 'symbol'
  if (value instanceof Uint8Array) return true
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype === Date.prototype) return true
  if (depth === DEEPEST || 'toJSON' in value) return false
  if (Array.isArray(value)) return value.every((item) => isSerializedAlike(item, depth + 1))
  if (prototype !== Object.prototype && prototype !== null) return false
  return Object.values(value).every((item) => isSerializedAlike(item, depth + 1))
}
