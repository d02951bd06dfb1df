"""The pieces of ``kronos-health up``: its folder, Airflow's environment, the keeper, the first check."""
