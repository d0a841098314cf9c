/** Who is asking, and what the person may do. */

import { forgetState } from "./kept.js";
import * as server from "./server.js";

const MAY_CHANGE = new Set(["operator", "admin"]);

export class Session {
  constructor() {
    this.person = null;
  }

  get mayChange() {
    return MAY_CHANGE.has(this.person?.role);
  }

  async look() {
    this.person = await server.session();
    server.trust(this.person.csrf);
  }

  /** Ends the session, and forgets what this device has kept of what it saw. */
  async leave() {
    await server.logOut();
    this.person = null;
    forgetState();
    location.assign(server.loginAddress());
  }
}
