// Without this script everything works too, with one more press of a button.
(() => {
  // Each form once at a time: a double click is meant as one.
  const inFlight = new WeakSet();
  addEventListener("submit", (event) => {
    const form = event.target;
    if (inFlight.has(form)) {
      event.preventDefault();
    } else {
      inFlight.add(form);
      setTimeout(() => inFlight.delete(form), 5000);
    }
  });

  // The prototype's method: a field of the form may be called "submit".
  const onward = document.querySelector("form[data-stepup-onward]");
  if (onward) HTMLFormElement.prototype.submit.call(onward);
})();
