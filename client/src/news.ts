// Decides whether an answer or an event is newer: an answer may be read before an event and arrive after it, and an event may
// arrive after an answer that includes it. The place in the journal decides, field by field.

import { applyEvent, type EventData } from './patch.ts'
import { isIncluded, type JournalPlace, laterOf, placeOf } from './place.ts'

/** The fields of an object, by name. */
export type Fields = { readonly [field: string]: unknown }
/** The newest value of a field. Lists and objects are not kept: of those, the answer that is written last wins. */
type Known = { readonly place: JournalPlace; readonly value: unknown; readonly isLeaf: boolean }

const eventsMax = 500
const entitiesMax = 5_000

/** The last events and the newest fields of one cache. */
export class News {
  #events: { readonly event: EventData; readonly place: JournalPlace | null }[] = []
  /** By id, the most recent one last. */
  readonly #entities = new Map<string, Map<string, Known>>()
  #latest: JournalPlace | null = null

  /** The latest place of all answers and events. An answer to a request sent now includes everything up to it. */
  get latest(): JournalPlace | null {
    return this.#latest
  }

  /** Records an event. @returns the event, with newer values of its fields where they are known */
  add(event: EventData): EventData {
    const place = placeOf(event.cursor)
    const newest = this.newest(event)
    this.#events.push({ event: newest, place })
    if (this.#events.length > eventsMax) this.#events.shift()
    this.#note(event, place, true)
    return newest
  }

  /** An event, with newer values of its scalar fields where they are known. */
  newest(event: EventData): EventData {
    return this.#newest(event, placeOf(event.cursor)) as EventData
  }

  /**
   * Records an answer.
   * @param place the answer includes everything up to it
   * @returns the answer, brought up to date
   */
  answered<Data>(data: Data, place: JournalPlace | null): Data {
    const news = this.#events.filter((event) => !isIncluded(event.place, place))
    const newest = news.reduce((answer, { event }) => applyEvent(answer, event), this.#newest(data, place) as Data)
    this.#note(data, place, false)
    return newest
  }

  /** Whether an answer read a field of an entity at the event's place or later. */
  isOlder(id: unknown, field: string, event: EventData): boolean {
    return isIncluded(placeOf(event.cursor), this.#entities.get(String(id))?.get(field)?.place ?? null)
  }

  /** Forgets everything, when the server continues from another history. */
  clear(): void {
    this.#events = []
    this.#entities.clear()
    this.#latest = null
  }

  /** A value in which each scalar field of an entity has its newest known value. */
  #newest(value: unknown, place: JournalPlace | null): unknown {
    if (place === null || isIncluded(this.#latest, place)) return value
    if (Array.isArray(value)) {
      const walked = value.map((each) => this.#newest(each, place))
      return walked.some((each, i) => each !== value[i]) ? walked : value
    }
    if (value === null || typeof value !== 'object') return value
    const before = value as Fields
    const known = typeof before.id === 'string' ? this.#entities.get(before.id) : undefined
    const after = Object.fromEntries(
      Object.entries(before).map(([field, each]) => {
        const other = known?.get(field)
        const isNewer = other?.isLeaf && isLeaf(each) && !isIncluded(other.place, place) && other.place.epoch === place.epoch
        return [field, isNewer ? other.value : this.#newest(each, place)]
      }),
    )
    return Object.keys(before).some((field) => after[field] !== before[field]) ? after : value
  }

  #note(value: unknown, place: JournalPlace | null, isEvent: boolean): void {
    if (place === null) return
    this.#latest = laterOf(this.#latest, place)
    this.#noteAll(value, place, isEvent)
  }

  #noteAll(value: unknown, place: JournalPlace, isEvent: boolean): void {
    if (Array.isArray(value)) for (const each of value) this.#noteAll(each, place, isEvent)
    if (value === null || typeof value !== 'object' || Array.isArray(value)) return
    const fields = value as Fields
    if (typeof fields.id === 'string') this.#noteEntity(fields.id, fields, place, isEvent)
    for (const each of Object.values(fields)) this.#noteAll(each, place, isEvent)
  }

  /** Of an event it records scalars only: events come in order, so lists and objects of an event are never ahead of the next. */
  #noteEntity(id: string, fields: Fields, place: JournalPlace, isEvent: boolean): void {
    const known = this.#entities.get(id) ?? new Map<string, Known>()
    this.#entities.delete(id)
    this.#entities.set(id, known)
    for (const [field, value] of Object.entries(fields)) {
      const before = known.get(field)
      if (isEvent && !isLeaf(value)) continue
      if (before?.isLeaf && isLeaf(value) && before.place.epoch === place.epoch && before.place.position > place.position)
        continue
      known.set(field, { place, value: isLeaf(value) ? value : null, isLeaf: isLeaf(value) })
    }
    const [oldest] = this.#entities.keys()
    if (this.#entities.size > entitiesMax && oldest !== undefined) this.#entities.delete(oldest)
  }
}

const isLeaf = (value: unknown): boolean => value === null || typeof value !== 'object'
