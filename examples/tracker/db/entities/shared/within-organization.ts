import type { JoinColumnOptions } from 'typeorm'

/** Returns the columns of a reference to a row of the same organisation. */
export function withinOrganization(column: string): JoinColumnOptions[] {
  return [
    { name: 'org_id', referencedColumnName: 'orgId' },
    { name: column, referencedColumnName: 'id' },
  ]
}
