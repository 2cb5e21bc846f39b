// Tests call chrome.tabs in this worker; only an extension may.
