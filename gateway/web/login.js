/** The login, and the first account: the key of the one-time link is behind the #, where no server and no log sees it. */

const form = document.getElementById("form");
const password = document.getElementById("password");
const wrong = document.getElementById("wrong");
const go = document.getElementById("go");

const asked = new URLSearchParams(location.hash.slice(1));
const key = asked.get("first");
/** The view of the page that was asked for before: what follows the # and nothing else, so that it is always this page's. */
const view = asked.get("to")?.startsWith("#") ? asked.get("to") : "";
if (key !== null) {
  history.replaceState(null, "", "/login");
  document.getElementById("title").textContent = "Welcome";
  document.getElementById("why").hidden = false;
  go.textContent = "Make the account";
  password.autocomplete = "new-password";
  password.minLength = 12;
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  wrong.textContent = "";
  go.disabled = true;
  try {
    const given = { name: form.elements.name.value, password: password.value };
    const answer = await fetch(key === null ? "/api/v1/session" : "/api/v1/first-account", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(key === null ? given : { ...given, key }),
    });
    if (answer.ok) {
      location.replace(`/${view}`);
      return;
    }
    const { detail } = await answer.json();
    const after = answer.headers.get("Retry-After");
    wrong.textContent = after === null ? detail : `${detail} (${after} s)`;
  } catch {
    wrong.textContent = "The gateway does not answer.";
  } finally {
    go.disabled = false;
  }
});
