"""The sales managers' desk: approve, reject, ask back, by rule or by hand, with the reason kept."""
