import type { FrameLocator, Page } from 'playwright-core'
import { untilSettled } from './tracker-page.ts'

/** What people see and do in a window of the tracker. */
export const online = (page: Page | FrameLocator) => page.getByRole('switch', { name: 'Online' })
export const allSaved = (page: Page | FrameLocator) => page.locator('.waiting-writes[data-pending="0"]')
/** Waits until everything is saved; the mark comes a moment after the writes that it counts, so these come first. */
export async function saved(page: Page): Promise<void> {
  await untilSettled(page)
  await allSaved(page).waitFor()
}
export const waiting = (page: Page | FrameLocator) => page.locator('.waiting-writes:not([data-pending="0"])')
export const heading = (page: Page | FrameLocator, name: string) =>
  page.locator('.detail').getByRole('heading', { name })
export const review = (page: Page) => page.getByRole('dialog')
export const card = (page: Page, state: string, id: string) =>
  page.locator(`[data-column="${state}"] .board-card[href="#${id}"]`)

export async function goOffline(page: Page | FrameLocator): Promise<void> {
  await online(page).click()
  await page.locator('.phase[data-phase="offline"]').waitFor()
}

export async function retitle(page: Page | FrameLocator, title: string): Promise<void> {
  await page.getByRole('button', { name: 'Edit title' }).click()
  await page.getByRole('textbox', { name: 'Title' }).fill(title)
  await page.getByRole('textbox', { name: 'Title' }).press('Enter')
  await heading(page, title).waitFor()
}

export async function describeAs(page: Page, text: string): Promise<void> {
  await page.getByRole('button', { name: 'Edit description' }).click()
  await page.getByRole('textbox', { name: 'Description' }).fill(text)
  await page.keyboard.press('Control+Enter')
  await page.locator('.body-text', { hasText: text }).waitFor()
}

export const choose = (page: Page, fact: string, value: string) =>
  page.getByRole('combobox', { name: `Change ${fact}` }).selectOption(value)
