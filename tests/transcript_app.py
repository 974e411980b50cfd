from flask import Flask
from flask import request

from flask_stepup import require_reverification
from flask_stepup import StepUp

app = Flask(__name__)
app.config.from_prefixed_env()  # FLASK_SECRET_KEY, FLASK_STEPUP_CLERK_…
stepup = StepUp(app)


@app.get("/account-numbers")
@require_reverification
def account_numbers():
    return {"numbers": ["GB33 BUKB 2020 1555 5555 55"]}


@app.post("/transfers")
@require_reverification(max_age=300, scope="payments", reason="Send money")
def transfer():
    return {"sent": True}


@app.post("/payouts")
@require_reverification(bind=("to", "amount"), reason="Pay out")
def pay_out():
    return {"paid": request.json["amount"]}
