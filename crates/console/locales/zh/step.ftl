step-done = （已完成）
step-next = （未到）
