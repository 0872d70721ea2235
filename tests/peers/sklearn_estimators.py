"""A plugin of pytest: our estimators where scikit-learn's tests take theirs."""

from __future__ import annotations

from sklearn import neural_network

from ferrostep.compat.sklearn import MLPClassifier, MLPRegressor

neural_network.MLPClassifier, neural_network.MLPRegressor = MLPClassifier, MLPRegressor
