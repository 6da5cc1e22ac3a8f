terms-none = No conditions: any use is permitted.
