"""What each picture shows, in plain words: its title and what to see, for the report and for Dagster."""

# File name of a picture to its title and its caption.
CAPTIONS = {
    "default_against_tuned.png": (
        "What the search has gained",
        "The metric of the trained model, of a model with the default parameters, and of a baseline that uses no "
        "columns. The bar is the range in which the true value lies with 95 % confidence; a gain smaller than the "
        "bar may be chance.",
    ),
    "optimisation_history.png": (
        "How the search went",
        "Each dot is a trial: a model with one set of parameters. The line is the best value so far: where it "
        "stays flat, more trials brought nothing. A cross is a trial that was stopped early because it was worse "
        "than the others.",
    ),
    "intermediate_values.png": (
        "How the models of the trials grew",
        "Each line is a trial: the metric while its model grows. Lines that end early are trials that were "
        "stopped because they were worse than the others.",
    ),
    "parameter_importances.png": (
        "Which parameters mattered",
        "The longer the bar, the more of the difference between good and other trials the parameter explains. A "
        "parameter with a short bar is not worth further search.",
    ),
    "slice_1.png": (
        "Values of each parameter",
        "Each dot is a trial; darker dots are later trials. The best trials of a parameter show where its good "
        "values are.",
    ),
    "slice_2.png": (
        "Values of further parameters",
        "Each dot is a trial; darker dots are later trials.",
    ),
    "parallel_coordinates.png": (
        "Combinations of parameters",
        "Each line is a trial, from one parameter to the next. Good combinations lie where the dark lines come "
        "together.",
    ),
    "pareto_front.png": (
        "Trade-off between the objectives",
        "On the line, no trial improves one objective without making another worse (the Pareto front). The model "
        "was trained with the parameters of the circled trial.",
    ),
    "roc_curve.png": (
        "Found against wrongly flagged (ROC curve)",
        "For every threshold: the share of rows of the class that are found, and the share of other rows that are "
        "flagged with them. The closer the curve to the upper left corner, the better; the diagonal is guessing.",
    ),
    "precision_recall_curve.png": (
        "Found against right when flagged (precision-recall curve)",
        "For every threshold: the share of rows of the class that are found (recall), and how many of the flagged "
        "rows are right (precision). The dotted line is guessing.",
    ),
    "calibration_curve.png": (
        "Can the probabilities be taken literally? (calibration)",
        "Observed class frequency against predicted probability. Probabilities that can be taken literally lie on "
        "the diagonal: of the rows with a predicted probability of 30 %, 30 % belong to the class.",
    ),
    "learning_curve.png": (
        "Is more data worth it? (learning curve)",
        "The optimised metric on other train rows of the same parameters, fitted on more and more of them. While it "
        "still improves at the right end, more rows of the same kind would help; where it is flat, they would not.",
    ),
    "gain_chart.png": (
        "How many rows must be flagged to find most (gain chart)",
        "The share of the positive rows that is found when the rows with the highest probabilities are flagged. The "
        "model is useful as far as it is above the random order.",
    ),
    "decision_curve.png": (
        "Where the model is better than flagging all or none (decision curve)",
        "Net benefit of the decisions for each threshold probability: found rows minus false alarms, at the exchange "
        "rate that the threshold stands for (at 0.2, four false alarms for a found row). Where the model is not above "
        "both other lines, flagging every row or none is as good.",
    ),
    "expected_cost.png": (
        "Expected cost by threshold",
        "What the wrong decisions for 1,000 test rows cost at each threshold. Lower is better. To read the best "
        "threshold from this picture would be too optimistic, because it shows the test rows.",
    ),
    "confusion_matrix.png": (
        "Right and wrong decisions (confusion matrix)",
        "Test rows by true class (rows) and predicted class (columns): those on the diagonal are right.",
    ),
    "residuals.png": (
        "Predictions and their errors (residuals)",
        "Left: true against predicted values; points on the diagonal are exact. Right: errors against predicted "
        "values; points at zero are exact.",
    ),
    "permutation_importance.png": (
        "Which columns the model needs (permutation importance)",
        "How much worse the metric on validation is when the values of one column are shuffled. The thin line is "
        "the standard deviation over the shuffles.",
    ),
    "shap_beeswarm.png": (
        "Effects on each prediction",
        "Each dot is a validation row: how far the value of the column moved its prediction (a SHAP value, or the "
        "coefficient times the value). The effects of a row and a constant add up to its prediction. An effect is "
        "not a cause.",
    ),
    "shap_dependence.png": (
        "Effect by value, of the most important columns",
        "Each dot is a validation row; a box shows the rows of a category. Dots of one value at several heights: "
        "the effect also depends on other columns.",
    ),
}
