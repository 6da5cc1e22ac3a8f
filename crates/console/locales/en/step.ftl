step-done = (done)
step-next = (not yet)
