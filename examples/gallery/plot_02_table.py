"""
A raw table
===========

Categories, dates and gaps go in as they are; an ensemble of small networks comes out, with what
each column is worth to it.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from fastmlp import TabularRegressor

# %%
# Flats that were sold, made up: the price depends on size, town and time, and a fifth of the sizes
# are unknown.

rng = np.random.default_rng(0)
n = 2000
flats = pd.DataFrame(
    {
        "size": rng.gamma(9, 8, n).round(),
        "rooms": rng.integers(1, 6, n),
        "town": rng.choice(["Aachen", "Berlin", "Chemnitz", "Dresden"], n, p=[0.2, 0.5, 0.1, 0.2]),
        "sold": pd.Timestamp("2015-01-01") + pd.to_timedelta(rng.integers(0, 3650, n), "D"),
        "agent": rng.choice([f"agent {i}" for i in range(30)], n),
    }
)
by_town = flats["town"].map({"Aachen": 3.0, "Berlin": 5.0, "Chemnitz": 1.5, "Dresden": 2.5})
years = (flats["sold"] - flats["sold"].min()).dt.days / 365
price = flats["size"] * by_town * (1 + 0.05 * years) * rng.normal(1, 0.05, n)
flats.loc[rng.random(n) < 0.2, "size"] = np.nan

train, test = flats[:1500], flats[1500:]
model = TabularRegressor(random_state=0).fit(train, price[:1500])
predicted = model.predict(test)
print(f"R2 {model.score(test, price[1500:]):.3f}")

# %%
# What was made of the columns, and what they are worth.

for column in model.columns_:
    print(column)

fig, (left, right) = plt.subplots(1, 2, figsize=(10, 4))
order = model.feature_importances_.argsort()
left.barh([flats.columns[i] for i in order], model.feature_importances_[order])
left.set_xlabel("importance")
unknown = test["size"].isna()
right.scatter(price[1500:][~unknown], predicted[~unknown], s=8, label="size known")
right.scatter(price[1500:][unknown], predicted[unknown], s=8, label="size unknown")
right.set_xlabel("price")
right.set_ylabel("predicted")
right.legend()
fig.tight_layout()
plt.show()
