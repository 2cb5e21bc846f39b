import { expect, it } from 'vitest'
import { TidemarkError } from '../../protocol/index.ts'
import { storageFault } from './storage-fault.ts'

const named = (name: string, message: string) => Object.assign(new Error(message), { name })

it.each([
  named('error', 'could not extend file "base/5/16384": File too large'),
  named('Error', 'ENOSPC: no space left on device, write'),
  named(
    'QuotaExceededError',
    "Failed to execute 'write' on 'FileSystemSyncAccessHandle': No space available for this operation",
  ),
  named('QuotaExceededError', ''),
  named('QuotaExceededError', 'The operation failed.'),
  named('UnknownError', 'Internal error: full disk while opening the backing store'),
  named('NS_ERROR_FILE_NO_DEVICE_SPACE', ''),
])('JRN-R1 knows a device without room by the words of each of them: %s', (error) => {
  expect(storageFault(error)).toMatchObject({ kind: 'storage', cause: error })
})

it('JRN-R1 leaves other errors to those who know them', () => {
  expect(storageFault(named('error', 'duplicate key value violates unique constraint'))).toBeNull()
  expect(storageFault(new TidemarkError('forbidden', 'no space'))).toBeNull()
})
