/** The number of files in the image of a new database; the build fails where the image holds another. */
export const FILES_OF_IMAGE = 326
