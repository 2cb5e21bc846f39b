import * as z from 'zod/mini'
import { isLsn, type Lsn } from './lsn.ts'

export const lsnSchema = z.custom<Lsn>(isLsn, 'expected an LSN of 16 hex digits')
