/** The login, and the first account: the key of the one-time link is behind the #, where no server and no log sees it. */

const form = document.getElementById("form");
const password = document.getElementById("password");
const wrong = document.getElementById("wrong");
const go = document.getElementById("go");

const key = new URLSearchParams(location.hash.slice(1)).get("first");
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
    const asked = { name: form.elements.name.value, password: password.value };
    const answer = await fetch(key === null ? "/api/v1/session" : "/api/v1/first-account", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(key === null ? asked : { ...asked, key }),
    });
    if (answer.ok) {
      location.replace("/");
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
