"""Where messages wait: one contract (`base`), several stores."""
