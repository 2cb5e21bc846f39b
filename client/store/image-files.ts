/** How many files the image of a new database holds; the build fails where it holds another number. */
export const FILES_OF_IMAGE = 320
