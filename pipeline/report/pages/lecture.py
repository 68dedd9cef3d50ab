"""The results that the lecture reports, for comparison.

Source: Full Stack Deep Learning 2021, lecture "Lab 3: RNN". Its accuracy counts padding as characters.
"""

RESULTS = {
    "simple_ce_aligned": "90 % accuracy",
    "simple_ce_misaligned": "52 % accuracy",
    "simple_ce_matched": "80s % accuracy",
    "simple_ce_variable": "60 % accuracy",
    "cnn_ce_matched": "as simple",
    "cnn_ce_variable": "62 % accuracy",
    "cnn_ctc_matched": "CER 18 %",
    "cnn_ctc_variable": "CER 15–16 %",
    "lstm_ctc_variable": "a little better",
}
