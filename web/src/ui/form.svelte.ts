/** A form that is sent to the server. */

import { tick } from "svelte";
import { ApiError } from "../api";
import { text } from "../text";

/** Whether it is on its way, and what the server found wrong with it. */
export class Form<Name extends string> {
  isBusy = $state(false);
  /** What is wrong with the form as a whole. */
  problem = $state<string>();
  /** What is wrong with each field. */
  problems = $state<Partial<Record<Name, string>>>({});

  /** What each field is called on the page, under its name in the API. */
  constructor(private readonly labels: Record<Name, string>) {}

  /** A form that sends itself by `work`, and leads to the first field that the server refuses. */
  sender(work: () => Promise<void>): (event: SubmitEvent) => Promise<void> {
    return async (event) => {
      event.preventDefault();
      if (this.isBusy) return;
      this.isBusy = true;
      this.problem = undefined;
      this.problems = {};
      const form = event.currentTarget as HTMLFormElement;
      try {
        await work();
      } catch (error) {
        this.refuse(error);
        await tick();
        form.querySelector<HTMLElement>("[aria-invalid=true]")?.focus();
      } finally {
        this.isBusy = false;
      }
    };
  }

  /** An error of the server begins with the name of the field that is at fault. */
  private refuse(error: unknown): void {
    const said = (error as Error).message;
    const wait = error instanceof ApiError ? error.retryAfter : undefined;
    const name = (Object.keys(this.labels) as Name[]).find((name) => said.startsWith(`${name} `));
    if (name && error instanceof ApiError) this.problems[name] = this.labels[name] + said.slice(name.length);
    else this.problem = said.charAt(0).toUpperCase() + said.slice(1) + (wait ? text.common.waitFor(wait) : "");
  }
}
