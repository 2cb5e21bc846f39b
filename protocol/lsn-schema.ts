import { z } from 'zod'
import { isLsn, type Lsn } from './lsn.ts'

export const lsnSchema = z.custom<Lsn>(isLsn, 'expected an LSN of 16 hex digits')
