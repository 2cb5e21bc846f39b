import { type Definition, tableId } from '../../../protocol/index.ts'

/** The type by which a value is read: of a domain, alone or in an array, what it is over, whose checks a value held may fail. */
export function baseType(type: string, types: Definition['types']): string {
  const array = type.endsWith('[]') ? '[]' : ''
  const element = array === '' ? type : type.slice(0, -2)
  const domain = types.find((one) => tableId(one) === element)
  const [, base] = domain?.statement.split(/ AS (?!ENUM )(.*)$/s) ?? []
  if (base === undefined || (array !== '' && base.endsWith('[]'))) return type
  return base + array
}
