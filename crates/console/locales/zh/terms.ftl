terms-none = 无附加条件：允许任何使用。
