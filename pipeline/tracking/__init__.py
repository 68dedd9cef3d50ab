"""What is kept in MLflow: a view of trainings and evaluations that can be thrown away and rebuilt.

DVC's outputs are the truth. This package is the only code that imports `mlflow`, and it does so when a store is opened,
because the import takes seconds.
"""
