/** First in, first out, without moving what stays. @module */

const LEAST_COMPACTED = 1024

export class Fifo<Item> {
  #items: Item[] = []
  #from = 0

  get size(): number {
    return this.#items.length - this.#from
  }

  add(item: Item): void {
    this.#items.push(item)
  }

  /** The item that came first. */
  peek(): Item | undefined {
    return this.#items[this.#from]
  }

  /** The items that came first, at most so many. */
  first(most: number): readonly Item[] {
    return this.#items.slice(this.#from, this.#from + most)
  }

  /** Takes the items that came first out. */
  drop(count: number): void {
    this.#from += Math.min(count, this.size)
    if (this.#from < LEAST_COMPACTED && this.#from < this.#items.length) return
    this.#items = this.#items.slice(this.#from)
    this.#from = 0
  }

  /** Takes the first item out that `fits`. */
  take(fits: (item: Item) => boolean): Item | undefined {
    for (let at = this.#from; at < this.#items.length; at++) {
      const item = this.#items[at] as Item
      if (!fits(item)) continue
      this.#items.splice(at, 1)
      return item
    }
    return undefined
  }
}
