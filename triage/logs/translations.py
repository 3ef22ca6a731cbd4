"""Sentences of `triage.logs.sentences` in the translations of the C library and of PostgreSQL:
German, French, Spanish, Italian, Portuguese, Russian, Chinese, Japanese. Spelling is not checked
here."""

from __future__ import annotations

from collections.abc import Mapping

TRANSLATED: Mapping[str, tuple[str, ...]] = {
    "credentials-refused": (
        r"Passwort-Authentifizierung .{0,80}fehlgeschlagen|Anmeldung .{0,60}fehlgeschlagen",
        r"authentification .{0,80}(?:échoué|a échoué)|Accès refusé pour l'utilisateur",
        r"autentificación .{0,60}falló|autenticazione .{0,80}fallita",
        r"autenticação .{0,80}falhou|Acceso denegado para|Zugriff verweigert für",
        r"не прош[её]л проверку подлинности|认证失败|認証に失敗",
    ),
    "name-not-found": (
        r"Der Name oder der Dienst ist nicht bekannt|Nom ou service inconnu",
        r"Nombre o servicio desconocido|Nome o servizio sconosciuto",
        r"Nome ou serviço desconhecido|Имя или служба не известны",
        r"未知的名称或服务|名前またはサービスが不明です",
    ),
    "unreachable": (
        r"Verbindungsaufbau abgelehnt|Connexion refusée|Connection refusée",
        r"Conexión rehusada|Connessione rifiutata|Conexão recusada",
        r"В соединении отказано|拒绝连接|连接被拒绝|接続を拒否されました",
    ),
    "disk-full": (
        r"Auf dem Gerät ist kein Speicherplatz mehr|Aucun espace disponible",
        r"No queda espacio en el dispositivo|Spazio esaurito sul device",
        r"Não há espaço disponível|не осталось свободного места",
        r"设备上没有空间|デバイスに空き領域がありません",
    ),
    "permission-denied": (
        r"Keine Berechtigung|Permission non accordée|Permiso denegado|Permesso negato",
        r"Permissão negada|Отказано в доступе|权限不够|許可がありません",
    ),
    "file-missing": (
        r"Datei oder Verzeichnis nicht gefunden|Aucun fichier ou dossier de ce (?:type|nom)",
        r"No existe el (?:archivo o el directorio|fichero o el directorio)",
        r"File o directory non esistente|Arquivo ou diretório inexistente",
        r"Нет такого файла или каталога|没有那个文件或目录",
        r"そのようなファイルやディレクトリはありません",
    ),
}
