"""MLflow's view of trainings and evaluations. DVC's outputs are the truth: the view can be deleted and rebuilt.

Only this room and the served model (`pipeline.inference.serving`) import `mlflow`. The import takes seconds, so it
happens when a store is opened.
"""
