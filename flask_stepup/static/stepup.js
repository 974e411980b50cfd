// Without this script everything works too, with one more press of a button.
(() => {
  // Each form is sent once: a double click is meant as one, and so is a click on what
  // goes on by itself. Who waits for a minute, or comes back, may press again.
  let inFlight = new WeakSet();
  const sending = (form) => {
    inFlight.add(form);
    setTimeout(() => inFlight.delete(form), 60_000);
  };
  addEventListener("pageshow", (event) => {
    if (event.persisted) inFlight = new WeakSet();
  });
  addEventListener("submit", (event) => {
    if (event.defaultPrevented) return; // by the app, which has found something to mend
    if (inFlight.has(event.target)) event.preventDefault();
    else sending(event.target);
  });

  const onward = document.querySelector("form[data-stepup-onward]");
  if (onward) {
    sending(onward);
    // The prototype's method: a field of the form may be called "submit".
    HTMLFormElement.prototype.submit.call(onward);
  }
})();
