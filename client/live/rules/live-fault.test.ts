import { describe, expect, it } from 'vitest'
import { TidemarkError } from '../../../protocol/index.ts'
import { errorOf, faultOf, isMisfit, isOfBrokenTransaction } from './live-fault.ts'

const ofPostgres = (message: string, code: string) => Object.assign(new Error(message), { code, hint: 'Look.' })

describe('faults', () => {
  it('are errors again, with what Postgres said or with their kind', () => {
    const error = errorOf(structuredClone(faultOf(ofPostgres('division by zero', '22012'))))
    expect(error).toMatchObject({ message: 'division by zero', code: '22012', hint: 'Look.' })
    const typed = errorOf(faultOf(new TidemarkError('schema-drift', 'It no longer fits.')))
    expect(typed).toBeInstanceOf(TidemarkError)
    expect(typed).toMatchObject({ kind: 'schema-drift', message: 'It no longer fits.' })
    expect(errorOf(faultOf('words')).message).toBe('words')
  })

  it('say whether the query does not fit the tables', () => {
    expect(isMisfit(faultOf(ofPostgres('relation "x" does not exist', '42P01')))).toBe(true)
    expect(isMisfit(faultOf(new Error('column "x" does not exist')))).toBe(true)
    expect(isMisfit(faultOf(ofPostgres('division by zero', '22012')))).toBe(false)
    expect(isOfBrokenTransaction(faultOf(ofPostgres('current transaction is aborted', '25P02')))).toBe(true)
  })
})
