// What shows that a request comes from a page of this session; without a login there is nothing.
export function csrfHeader() {
  const token = document.querySelector('meta[name="csrf"]')?.content;
  return token ? { "X-CSRF-Token": token } : {};
}
