"""What plug-ins of this package cost on the demo: (seconds on one core, GiB of the process).

500 training and 100 test ads, 40 tags, 5 folds, 10 level-1 models; printed by `python -m
benchmarks.model_costs`. What starts from a checkpoint depends on it: these are small ones.
"""

LEVEL1 = {  # all folds
    "bert": (10_000.0, 2.1),  # 12 layers of 384; extrapolated in benchmarks/rehearsal.md
    "c2ae": (3_000.0, 1.5),  # by the c2ae_features and a fine-tuned encoder; not measured whole
    "c2ae_features": (7.5, 0.5),
    "frames": (4.5, 0.5),
    "fused_networks": (60.0, 1.0),
    "fusion": (15.6, 0.6),
    "hmam": (68.0, 0.6),  # on regions of posters; on frames of the demo 13
    "image_classifier": (3_000.0, 1.5),
    "joint_nblogreg": (4.5, 0.4),
    "knn": (1.3, 0.4),
    "lightgbm": (6.6, 0.3),
    "mlgcn": (3_000.0, 1.5),
    "mlgcn_features": (50.0, 0.5),
    "probe": (1.9, 0.2),
    "shared_trees": (1.4, 0.2),
    "sound": (8.2, 0.5),
    "text_net": (23.0, 0.6),
    "tfidf_linearsvc": (0.65, 0.4),
    "tfidf_logreg": (0.42, 0.3),
    "tfidf_nblogreg": (0.9, 0.4),
    "xgboost": (3.8, 0.3),
    "zero_shot": (1.0, 0.5),
}
LEARNERS = {  # all fits where one is chosen among several
    "calibrated_mean": (1.1, 0.2),
    "corrector": (18.0, 0.4),
    "dnn": (22.0, 0.5),
    "greedy": (2.8, 0.3),
    "lightgbm": (8.8, 0.2),
    "logit_mean": (0.24, 0.2),
    "logreg": (2.7, 0.2),
    "mean": (0.04, 0.2),
    "paper_dnn": (30.0, 0.5),
    "pooled": (2.3, 0.4),
    "rank_mean": (1.2, 0.2),
    "single": (0.39, 0.2),
    "xgboost": (6.3, 0.3),
}
EXTRACTORS = {  # one film of 3 to 8 s, picture or text
    "asr": (15.0, 1.5),
    "audio": (0.3, 1.0),
    "bert": (0.02, 1.0),
    "bottom_up": (0.005, 0.3),
    "logmel": (0.011, 0.3),
    "media_metadata": (0.05, 0.3),
    "npy": (0.001, 0.3),
    "ocr": (0.25, 0.7),
    "regions": (0.05, 1.0),
    "thumbnails": (0.025, 0.3),
    "vggish": (0.05, 0.6),
    "vit": (0.05, 1.0),
}
