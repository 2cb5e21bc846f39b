import { type Definition, tableId } from '../../../protocol/index.ts'

/**
 * Returns the type by which a value is read. A domain, alone or in an array, is replaced by its base type, because a
 * held value may fail the domain's checks.
 */
export function baseType(type: string, types: Definition['types']): string {
  const array = type.endsWith('[]') ? '[]' : ''
  const element = array === '' ? type : type.slice(0, -2)
  const domain = types.find((one) => tableId(one) === element)
  const [, base] = domain?.statement.split(/ AS (?!ENUM )(.*)$/s) ?? []
  if (base === undefined || (array !== '' && base.endsWith('[]'))) return type
  return base + array
}
