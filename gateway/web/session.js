/** Who is asking: the login form where the gateway has accounts, and what the person may do. */

import { el, say } from "./dom.js";
import { forgetState } from "./kept.js";
import * as server from "./server.js";

const MAY_CHANGE = new Set(["operator", "admin"]);

export class Session {
  /** `onIn()`: somebody has logged in. */
  constructor(onIn) {
    this.onIn = onIn;
    this.person = null;
    this.accounts = false;
    this.dialog = null;
    server.onStranger(() => this.ask());
  }

  /** Without accounts everybody on this machine may do everything. */
  get mayChange() {
    return !this.accounts || MAY_CHANGE.has(this.person?.role);
  }

  /** Looks who is logged in, once it is known that the gateway has accounts. */
  async look() {
    this.accounts = true;
    try {
      this.take(await server.session());
    } catch (error) {
      if (error.status !== 401) throw error;
    }
  }

  take(person) {
    this.accounts = true;
    this.person = person;
    server.trust(person?.csrf ?? null);
  }

  async leave() {
    await server.logOut();
    this.take(null);
    forgetState();
    location.reload();
  }

  /** Puts the form up, once. */
  ask() {
    this.accounts = true;
    if (this.dialog) return;
    const name = el("input", { id: "login-name", name: "username", autocomplete: "username", autocapitalize: "none", spellcheck: "false", required: true });
    const password = el("input", { id: "login-password", name: "password", type: "password", autocomplete: "current-password", required: true });
    const wrong = el("p", { class: "wrong", role: "alert" });
    const button = el("button", { type: "submit", class: "button primary" }, "Log in");
    const form = el("form", { class: "dialog-form" },
      el("h2", { id: "login-title" }, "Log in to magwatch"),
      el("label", { for: "login-name" }, "Name"), name,
      el("label", { for: "login-password" }, "Password"), password, wrong, button);
    this.dialog = el("dialog", { class: "dialog", "aria-labelledby": "login-title" }, form);
    this.dialog.addEventListener("cancel", (event) => event.preventDefault());
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      button.disabled = true;
      try {
        this.take(await server.logIn(name.value, password.value));
        this.dialog.remove();
        this.dialog = null;
        this.onIn();
      } catch (error) {
        say(wrong, error.status === 401 ? "Name and password do not match." : error.message);
        password.select();
      } finally {
        button.disabled = false;
      }
    });
    document.body.append(this.dialog);
    this.dialog.showModal();
    name.focus();
  }
}
