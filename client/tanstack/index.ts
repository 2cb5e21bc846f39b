export { tidemarkCollectionOptions } from './collection-options.ts'
