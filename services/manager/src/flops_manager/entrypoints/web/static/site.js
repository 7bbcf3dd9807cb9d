// Besides htmx: follow a project's events, keep details open, and announce changes.
"use strict";

(function () {
  const RETRY_MS = 2000;
  const SLOWEST_RETRY_MS = 30000;

  // --- A project's page follows its events: their numbers are all that is sent. Each one, and each
  // new connection, redraws the page, so nothing is missing after a lost event or connection.
  function follow(sign) {
    let last = Number(sign.dataset.seq);
    let wait = RETRY_MS;
    let planned = 0;
    let over = false;

    const say = (state, text) => {
      if (sign.dataset.state !== state) {
        sign.dataset.state = state;
        sign.textContent = text;
      }
    };
    const draw = () => {
      planned = 0;
      htmx.trigger("#live", "refresh");
    };
    const drawSoon = () => {
      planned = planned || window.setTimeout(draw, 250);
    };
    const connect = () => {
      const source = new EventSource(`${sign.dataset.stream}?after=${last}`);
      source.onopen = () => {
        wait = RETRY_MS;
        say("live", "live");
        drawSoon();
      };
      source.onmessage = (event) => {
        last = Number(event.lastEventId) || last;
        drawSoon();
      };
      source.onerror = () => {
        if (over) {
          source.close();
          return;
        }
        say("lost", "connection lost, trying again");
        // Browsers reconnect by themselves with Last-Event-ID, unless the answer was an error.
        if (source.readyState === EventSource.CLOSED) {
          window.setTimeout(connect, wait);
          wait = Math.min(wait * 2, SLOWEST_RETRY_MS);
        }
      };
      document.body.addEventListener("flops:over", () => {
        over = true;
        source.close();
        say("over", "");
      });
    };
    connect();
  }

  // --- Details that a reader has opened stay open when the page is redrawn.
  const open = new Map();
  document.addEventListener(
    "toggle",
    (event) => {
      if (event.target.id && event.target.tagName === "DETAILS") {
        open.set(event.target.id, event.target.open);
      }
    },
    true,
  );

  function settle() {
    for (const details of document.querySelectorAll("details[id]")) {
      if (open.has(details.id) && details.open !== open.get(details.id)) {
        details.open = open.get(details.id);
      }
    }
    for (const error of document.querySelectorAll(".field .error")) {
      const input = document.getElementById(error.id.replace("error-", ""));
      if (input) {
        input.toggleAttribute("aria-invalid", false);
        if (error.textContent.trim() && (input.value || input.dataset.touched)) {
          input.setAttribute("aria-invalid", "true");
        }
      }
    }
  }

  // --- Screen readers announce a new stage.
  let stage = "";
  function announce() {
    const state = document.getElementById("state");
    const place = document.getElementById("announce");
    if (state && place && stage && stage !== state.dataset.stage) {
      place.textContent = `The project is now: ${state.dataset.stage}`;
    }
    stage = state ? state.dataset.stage : "";
  }

  document.addEventListener("DOMContentLoaded", () => {
    announce();
    const sign = document.querySelector("[data-stream]");
    if (sign) {
      follow(sign);
    }
    document.body.addEventListener("focusout", (event) => {
      if (event.target.matches(".field input")) {
        event.target.dataset.touched = "yes";
      }
    });
    // Errors that appear above a button while it is pressed would move it away from the pointer.
    document.body.addEventListener("pointerdown", (event) => {
      const form = event.target.closest("button") && event.target.closest("form[hx-post]");
      if (form) {
        window.htmx.trigger(form, "htmx:abort");
      }
    });
    document.body.addEventListener("htmx:afterSettle", () => {
      settle();
      announce();
    });
    document.body.addEventListener("htmx:afterRequest", (event) => {
      if (event.detail.xhr && event.detail.xhr.status === 286) {
        document.body.dispatchEvent(new Event("flops:over"));
      }
    });
    document.body.addEventListener("htmx:sendError", () => document.body.classList.add("cut"));
    document.body.addEventListener("htmx:afterOnLoad", () => document.body.classList.remove("cut"));
  });
})();
