"""The files of tests that take longest, the longest first.

Two processes that share the files out in this order end at about the same time.
"""

LONGEST = (
    "backends/cpu/test_single_precision.py",
    "backends/cpu/test_cpu_cache.py",
    "backends/brian/test_brian.py",
    "conformance/test_engines_agree.py",
    "backends/pynn/test_pynn_run.py",
    "backends/pynn/test_pynn_agreement.py",
    "backends/cpu/test_cpu_delivery.py",
    "models/test_nonlinear_cells.py",
    "backends/pynn/test_pynn_spinnaker.py",
    "models/test_ca3_memory.py",
    "project/test_documentation.py",
    "backends/cpu/test_single_code.py",
    "conformance/test_closed_forms.py",
    "run/test_snapshots.py",
    "backends/pynn/test_pynn_rows.py",
    "ir/test_index_types.py",
    "cli/test_run_options.py",
    "backends/cpu/test_cpu_source.py",
    "run/test_run.py",
    "backends/cpu/test_cpu_engine.py",
    "backends/pynn/test_pynn_report.py",
    "models/test_balanced_networks.py",
    "backends/pynn/test_pynn_traps.py",
    "models/test_prediction_reservoir.py",
    "models/test_plasticity_published.py",
    "network/test_connect_large.py",
    "backends/pynn/test_pynn_export.py",
    "language/test_functions.py",
)
