"""MLflow's server with other defaults of its pages: model training instead of GenAI, and telemetry shown as off.

MLflow keeps both in the browser and has no option for them. A choice that a user has made in the browser stays.
"""

import json
from pathlib import Path
from typing import Any

# The keys of MLflow's pages with their versions, and values as JSON.
_DEFAULTS = {
    "mlflow.workflowType_v1": json.dumps("machine_learning"),
    # MLFLOW_DISABLE_TELEMETRY switches it off, and the Settings page does not know that.
    "mlflow.settings.telemetry.enabled_v1": json.dumps(False),
    "mlflow.telemetry.info.alert.dismissed_v1": json.dumps(True),
    # An assistant that needs a language model covers a quarter of each page; a button opens it.
    "mlflow.assistant.fab.autoOpenedOnFirstLoad_v1": json.dumps(True),
}
_SCRIPT = f"""<script>for (const [key, value] of Object.entries({json.dumps(_DEFAULTS)}))
if (localStorage.getItem(key) === null) localStorage.setItem(key, value)</script>"""


def create_app() -> Any:
    """Return MLflow's application, whose page sets the defaults before MLflow's own scripts read them."""
    from mlflow.server import app as pages
    from mlflow.server.fastapi_app import app

    page = Path(str(pages.static_folder), "index.html").read_text(encoding="utf-8")
    page = page.replace("<head>", f"<head>{_SCRIPT}", 1)
    pages.view_functions["serve"] = lambda: page
    return app
