// Live updates and copy buttons. Everything here is an extra: without it the pages are complete,
// and pages about something in progress reload by themselves.
"use strict";

(() => {
  const RETRY_MS = 5000; // when the browser gives up by itself, as it does on an error answer
  const region = document.querySelector("[data-live-region]");
  const status = document.getElementById("live-status");
  const byId = (id) => document.getElementById(id);
  let source = null;
  let shown = region?.outerHTML; // a page that is being filled in has none
  let fetching = false;
  let again = false;

  const say = (text, lost = false) => {
    status.classList.toggle("lost", lost);
    if (status.textContent !== text) status.textContent = text;
  };

  // What the reader has opened, typed and focused survives the exchange, by id.
  const exchange = (fresh) => {
    const all = (selector) => [...region.querySelectorAll(selector)];
    const open = all("details[id][open]").map((it) => it.id);
    const typed = all("input[id][type=text], textarea[id]").filter((it) => it.value !== it.defaultValue).map((it) => [it.id, it.value]);
    const focused = region.contains(document.activeElement) && document.activeElement.id;
    region.replaceChildren(...fresh.childNodes);
    for (const id of open) byId(id)?.setAttribute("open", "");
    for (const [id, value] of typed) if (byId(id)) byId(id).value = value;
    if (focused) (byId(focused) ?? region).focus({ preventScroll: true });
  };

  // The page itself is the source of truth: an event only says that it is worth reading again.
  const refresh = async () => {
    again = fetching;
    if (fetching) return;
    fetching = true;
    try {
      const answer = await fetch(location.href, { headers: { accept: "text/html" } });
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const fresh = page.querySelector("[data-live-region]");
      // A session that ended, or a page that is gone, is for the reader to see.
      if (!answer.ok || answer.redirected || !fresh) return location.reload();
      if (fresh.outerHTML !== shown) {
        shown = fresh.outerHTML;
        document.title = page.title;
        region.dataset.live = fresh.dataset.live ?? "";
        exchange(fresh);
        showCopyButtons();
        listen();
      }
    } catch {
      say(status.dataset.lostText, true);
    } finally {
      fetching = false;
      if (again) refresh();
    }
  };

  const listen = () => {
    if (!region?.dataset.live) {
      source?.close();
      source = null;
      say("");
    } else if (!source) {
      source = new EventSource(region.dataset.live);
      source.onmessage = refresh;
      source.onopen = () => {
        say(status.dataset.liveText);
        refresh(); // what happened before the connection stood
      };
      source.onerror = () => {
        say(status.dataset.lostText, true);
        if (source?.readyState !== EventSource.CLOSED) return;
        source = null;
        setTimeout(listen, RETRY_MS);
      };
    }
  };

  const showCopyButtons = () => {
    if (!navigator.clipboard) return;
    for (const button of document.querySelectorAll("button[data-copy]")) button.hidden = false;
  };
  document.addEventListener("click", async ({ target }) => {
    const button = target.closest("button[data-copy]");
    if (!button) return;
    await navigator.clipboard.writeText(byId(button.dataset.copy).textContent);
    button.textContent = button.dataset.done;
  });

  document.addEventListener("click", ({ target }) => {
    for (const menu of document.querySelectorAll("details.menu[open]"))
      if (!menu.contains(target)) menu.open = false;
  });

  document.querySelector(".rooms [aria-current]")?.scrollIntoView({ block: "nearest" });
  showCopyButtons();
  listen();
})();
