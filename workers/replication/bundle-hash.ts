import {
  declaredNames,
  definitionHash,
  type Query,
  readCatalogue,
  resolveDefinition,
  type Sync,
} from '../../db/index.ts'

/** Hashes the bundle's definition as it would be in this database; null where it cannot be put in force as it is. */
export async function bundleHash(query: Query, sync: Sync): Promise<string | null> {
  const catalogue = await readCatalogue(query, declaredNames(sync))
  const { definition, faults } = resolveDefinition(sync, catalogue)
  return faults.length > 0 ? null : definitionHash(definition)
}
