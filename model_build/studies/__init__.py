"""Study files (see `model_build.study.plan`), and in `results/` what their cells found."""
