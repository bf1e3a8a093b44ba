# A nightly backup for the Windows Task Scheduler. Works in PowerShell 5.1 and later (not run on PowerShell so far:
# the commands in it have been tried from Windows' cmd under Wine).
#
# Register it once, from an elevated prompt:
#   schtasks /Create /TN "Corso backup" /SC DAILY /ST 03:17 /RU SYSTEM ^
#     /TR "powershell.exe -NoProfile -NonInteractive -ExecutionPolicy Bypass -File C:\corso\backup.ps1"
#
# C:\corso holds corso.exe, this script, .corso.toml (written by `corso repo init` or `connect` with CORSO_CONFIG_DIR set
# as below) and the passphrase file, in one line of UTF-8. Keep all others out of the folder:
#   icacls C:\corso /inheritance:r /grant SYSTEM:F Administrators:F

$Folder = 'C:\corso'
$Sources = @('C:\Users')
$Log = Join-Path $Folder 'backup.log'

$Env:CORSO_CONFIG_DIR = $Folder
$Env:CORSO_CACHE_DIR = Join-Path $Folder 'cache'
$Env:CORSO_PASSPHRASE_FILE = Join-Path $Folder 'passphrase.txt'
# What the program writes is UTF-8; PowerShell 5.1 takes it for something else unless told.
[Console]::OutputEncoding = [System.Text.Encoding]::UTF8

function Write-Log([string] $Text) {
    "$(Get-Date -Format s)  $Text" | Add-Content -Path $Log -Encoding UTF8
}

# --json: one document on standard output. Warnings and errors go to standard error, here into a file.
$Errors = Join-Path $Folder 'backup.errors.txt'
$Output = & "$Folder\corso.exe" backup create @Sources --quiet --json 2> $Errors
$Status = $LASTEXITCODE

# 0: done. 3: done, but some files could not be read (open ones, say); the log names them.
if ($Status -eq 0 -or $Status -eq 3) {
    # PowerShell 5.1 gives a native program's output line by line; ConvertFrom-Json wants the document whole.
    $Report = ($Output -join "`n") | ConvertFrom-Json
    Write-Log "backup $($Report.snapshot): $($Report.files_new) new, $($Report.files_changed) changed, $($Report.errors) not read"
}
if ($Status -ne 0) {
    Get-Content -Path $Errors -Encoding UTF8 | ForEach-Object { Write-Log $_ }
    Write-Log "corso backup create ended with $Status"
}

# On one day of the week: what is kept, and freeing the rest. Only one host has to do this, with a full key.
if ($Status -eq 0 -and (Get-Date).DayOfWeek -eq 'Sunday') {
    & "$Folder\corso.exe" backup forget --keep-daily 14 --keep-weekly 8 --keep-monthly 24 --quiet 2>> $Errors | Out-Null
    if ($LASTEXITCODE -eq 0) { & "$Folder\corso.exe" repo maintenance --quiet 2>> $Errors | Out-Null }
    if ($LASTEXITCODE -ne 0) {
        Write-Log "forget or maintenance ended with $LASTEXITCODE; see $Errors"
        $Status = $LASTEXITCODE
    }
}
exit $Status
